-- one row per pair of things bought before :as_of, one after the other, and the days from one to the other
with met as (
    select
        starts.entity_id,
        starts.thing,
        starts.day,
        starts.weight,
        later.thing as next_thing,
        min(later.day) - starts.day as days
    from starts
    inner join bought_days as later on starts.entity_id = later.entity_id
    where
        later.day > starts.day
        and later.day <= starts.day + :within
        and later.thing <> starts.thing
        and later.thing in (select thing from chosen_things)
    group by starts.entity_id, starts.thing, starts.day, starts.weight, later.thing
)

select
    thing,
    next_thing,
    days,
    count(*) as follow_count,
    sum(weight) as weight
from met
group by thing, next_thing, days
