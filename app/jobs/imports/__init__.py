"""Images from elsewhere: folders on this machine, archives, addresses on the web."""
