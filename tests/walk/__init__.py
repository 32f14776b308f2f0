"""Every URL of the site × who may ask × how: nobody learns or changes what is another project's, and nothing breaks."""
