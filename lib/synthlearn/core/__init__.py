"""What everything stands on: counted random numbers, images, views, files, options, errors,
registries, statistics, the machine at hand."""
