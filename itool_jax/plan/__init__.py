"""What a config would need on machines that one does not have yet: bytes, FLOPs, and whether it fits."""
