"""Columns that several tables have."""

from analysis.decide import METRIC_TITLES
from analysis.tables.spec import Column

METRIC = Column("metric", "metric", lambda metric: METRIC_TITLES[metric])
SYSTEM = Column("system", "system", lambda system: system or "all")
QUALITY, TRIAL = Column("quality", "input_quality"), Column("trial", "trial_id", is_wide=True)
IMAGES = Column("images", "n_images", ",.0f")
