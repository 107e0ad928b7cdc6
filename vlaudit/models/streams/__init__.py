"""Models that read a caption and a detector's regions, and text-only models beside them: one adapter, many networks."""
