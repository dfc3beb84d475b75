"""The six figures of the tree search: workloads, the sides that are compared, and how each is measured."""
