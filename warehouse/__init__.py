"""Raw tables become checked tables: contracts, readers, presets, the store, settings and errors."""
