"""What a step is: what is encoded once, the loss, the optimisers."""
