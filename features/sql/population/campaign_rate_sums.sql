-- one row per sums of a part as of :as_of
select
    cast(sum(campaign_day_count) as bigint) as campaign_day_count,
    cast(sum(campaign_act_count) as bigint) as campaign_act_count,
    cast(sum(other_day_count) as bigint) as other_day_count,
    cast(sum(other_act_count) as bigint) as other_act_count
from campaign_habits
