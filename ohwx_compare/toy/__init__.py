"""The toy world: people drawn with known traits, what was learned from their pictures, and drawn stand-ins."""
