-- one row per customer, day with any purchase before :as_of and chosen thing bought within the days to watch after it
-- what lies within the days after a purchase is in its block of so many days or in the next: only those are compared
with blocks as (
    select
        entity_id,
        day,
        week,
        cast(floor(day / :within) as int) as block
    from buyer_days
    union all
    select
        entity_id,
        day,
        week,
        cast(floor(day / :within) as int) + 1 as block
    from buyer_days
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
    blocks.day,
    blocks.week,
    later.thing,
    min(later.day) - blocks.day as days
from blocks
inner join later on blocks.entity_id = later.entity_id and blocks.block = later.block
where later.day > blocks.day and later.day <= blocks.day + :within
group by blocks.entity_id, blocks.day, blocks.week, later.thing
