"""Import what runs inside this process need: pytester forgets modules after each run, and torch must load only once."""

import vlaudit.authoring
import vlaudit.datasets.scenes
import vlaudit.models.albef.loading
import vlaudit.models.loading
import vlaudit.models.toy
import vlaudit.plugin.session  # noqa: F401
