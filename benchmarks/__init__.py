"""Cost of vlaudit, as ratios measured in one run: `python -m benchmarks.models`.

Benchmarks run with the OpenMP settings of an audit.
"""

from vlaudit.openmp import use_passive_wait

use_passive_wait()
