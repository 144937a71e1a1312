"""What only Uvicorn does, on both of its event loops."""
