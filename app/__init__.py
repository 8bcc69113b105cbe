"""The service: HTTP, storage and a published model. It never trains and never imports the trainer."""
