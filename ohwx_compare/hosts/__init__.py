"""What generates the pictures: implementations of compare.host.Host."""
