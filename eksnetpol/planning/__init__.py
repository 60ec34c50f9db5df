"""From a look at a cluster to a plan. Planning looks at values and touches nothing; the same look gives the same plan."""
