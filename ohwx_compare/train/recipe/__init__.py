"""The recipe file, and the configurations of other trainers read as one."""
