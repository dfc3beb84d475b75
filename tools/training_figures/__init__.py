"""The five figures of training: workloads, the sides that are compared, and how each is measured."""
