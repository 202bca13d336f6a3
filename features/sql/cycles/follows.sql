-- one row per purchase of a thing before :as_of and thing bought after it within the days to watch
-- what lies within the days after a purchase is in its block of so many days or in the next: only those are compared
with blocks as (
    select
        entity_id,
        thing,
        day,
        start_count,
        cast(floor(day / :within) as int) as block
    from starts
    union all
    select
        entity_id,
        thing,
        day,
        start_count,
        cast(floor(day / :within) as int) + 1 as block
    from starts
),

later as (
    select
        entity_id,
        thing,
        day,
        cast(floor(day / :within) as int) as block
    from bought_days
    where thing in (select thing from chosen_things)
)

select
    blocks.entity_id,
    blocks.thing,
    blocks.start_count,
    later.thing as next_thing,
    min(later.day) - blocks.day as days
from blocks
inner join later on blocks.entity_id = later.entity_id and blocks.block = later.block
where
    later.day > blocks.day
    and later.day <= blocks.day + :within
    and later.thing <> blocks.thing
group by blocks.entity_id, blocks.thing, blocks.start_count, blocks.day, later.thing
