-- one row per population as of :as_of: everybody's activity in the weeks of a campaign over that in other weeks
select
    cast(
        rounded(
            (cast(sum(campaign_act_count) as double) / nullif(cast(sum(campaign_day_count) as double), 0))
            / nullif(cast(sum(other_act_count) as double) / nullif(cast(sum(other_day_count) as double), 0), 0),
            6
        ) as decimal(18, 6)
    ) as ratio
from campaign_rate_sums
