-- one row per customer touched before :as_of: days with an act in the weeks of campaigns, and as many as everybody's ratio makes
with shares as (
    select
        habits.entity_id,
        habits.campaign_day_count,
        habits.campaign_act_count,
        habits.campaign_act_count + habits.other_act_count as whole,
        cast(rates.ratio as double) as ratio,
        habits.campaign_day_count * cast(rates.ratio as double)
        / nullif(habits.campaign_day_count * cast(rates.ratio as double) + habits.other_day_count, 0) as share
    from campaign_habits as habits
    cross join campaign_rates as rates
)

select
    entity_id,
    campaign_day_count,
    campaign_act_count,
    ratio,
    cast(rounded(whole * share, 6) as decimal(18, 6)) as expected,
    cast(rounded(whole * share * (1 - share), 6) as decimal(18, 6)) as variance
from shares
where share is not null
