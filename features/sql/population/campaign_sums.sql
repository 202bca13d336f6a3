-- one row per sums of a part as of :as_of
select
    cast(sum(cast(expected * expected as decimal(28, 9))) as decimal(38, 9)) as expected_squares,
    cast(
        sum(cast((campaign_act_count - expected) * (campaign_act_count - expected) as decimal(28, 9)) - variance)
        as decimal(38, 9)
    ) as excess
from campaign_expectations
