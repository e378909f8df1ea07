"""What a comparison will cost: pictures, faces, loads, disk and time."""
