"""What is sold: features, the metrics that count them, plans, prices, and the credits that come with plans."""
