"""A season's pages, made beforehand and served as they lie on disk, so that the provider is not what is measured."""
