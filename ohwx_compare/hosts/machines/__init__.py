"""Many machines: processes here and actors of Ray that generate for one run."""
