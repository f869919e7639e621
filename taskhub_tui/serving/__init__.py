"""The app in a browser: a small web server, and one process of the app for each window."""
