"""Other servers, each as its own documentation says."""
