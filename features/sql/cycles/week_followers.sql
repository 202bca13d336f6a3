-- one row per week and chosen thing bought within the days after a purchase of anything in it, before :as_of
with met as (
    select
        buyer_days.entity_id,
        buyer_days.day,
        buyer_days.week,
        buyer_days.weight,
        later.thing
    from buyer_days
    inner join bought_days as later on buyer_days.entity_id = later.entity_id
    where
        later.day > buyer_days.day
        and later.day <= buyer_days.day + :within
        and later.thing in (select thing from chosen_things)
    group by buyer_days.entity_id, buyer_days.day, buyer_days.week, buyer_days.weight, later.thing
)

select
    week,
    thing,
    sum(weight) as weight
from met
group by week, thing
