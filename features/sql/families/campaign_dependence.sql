-- one row per customer as of :as_of
select
    counted.entity_id,
    counted.ratio * (counted.campaign_act_count + cast(priors.strength as double))
    / (cast(counted.expected as double) + cast(priors.strength as double)) as campaign_dependence,
    cast(counted.expected as double) / (cast(counted.expected as double) + cast(priors.strength as double))
        as campaign_dependence_confidence,
    counted.campaign_act_count / (cast(counted.campaign_day_count as double) / 7) as act_days_per_campaign_week
from campaign_expectations as counted
cross join campaign_priors as priors
