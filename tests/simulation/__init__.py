"""The real engine, store, hub and notifier on a virtual clock, with faults that a seed chose."""
