"""What everything stands on: counted random numbers, images, views, files, options, errors, statistics, the machine at hand."""
