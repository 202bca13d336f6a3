-- one row per customer and day counts before :as_of: days with an act in the weeks of a campaign and in others, since the first act
with lives as (
    select
        entity_id,
        min(day) as first_day,
        count(*) - 1 as act_count
    from acts
    group by entity_id
),

weeks as (
    select
        days.entity_id,
        count(*) as day_count,
        count(acts.day) as act_count
    from campaign_days as days
    inner join lives on days.entity_id = lives.entity_id
    left join acts on days.entity_id = acts.entity_id and days.day = acts.day
    where days.day > lives.first_day
    group by days.entity_id
)

select
    weeks.entity_id,
    cast(weeks.day_count as int) as campaign_day_count,
    cast(weeks.act_count as int) as campaign_act_count,
    cast(:as_of - 1 - lives.first_day - weeks.day_count as int) as other_day_count,
    cast(lives.act_count - weeks.act_count as int) as other_act_count
from weeks
inner join lives on weeks.entity_id = lives.entity_id
