"""What can be asked: a file for each subject, which knows no other route."""
