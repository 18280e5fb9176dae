"""Public sets of images: what is known of each, and how they are downloaded, verified and unpacked."""
