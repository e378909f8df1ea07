"""Who draws the pictures: implementations of compare.host.Host."""
