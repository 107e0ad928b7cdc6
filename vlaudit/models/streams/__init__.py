"""One adapter for every encoder: networks over captions and regions, captions and pixels, or captions alone."""
