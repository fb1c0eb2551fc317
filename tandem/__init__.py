"""Tandem: predict clicks and conversions together, from logs to a pushed model.

    tandem sample data/sample && tandem run configs/sample.yaml --data data/sample

The parts of the package are the folders of the repository; here stand links to them. So a checkout has its rooms at the
top, and an installed wheel has one name, `tandem`, beside whatever else is called `models`.
"""
