-- one row per pair of things bought before :as_of, one after the other: sums over customers, for the variance
with customers as (
    select
        entity_id,
        thing,
        next_thing,
        start_count,
        count(*) as follow_count
    from follows
    group by entity_id, thing, next_thing, start_count
)

select
    thing,
    next_thing,
    sum(follow_count) as follow_count,
    sum(follow_count * follow_count) as follow_squares,
    sum(follow_count * start_count) as products
from customers
group by thing, next_thing
