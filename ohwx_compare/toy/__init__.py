"""The toy world: people drawn with known traits, models that learned them, and models with drawn weights."""
