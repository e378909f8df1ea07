"""What runs the models: weights, conditioning, sampling, rendering, detection."""
