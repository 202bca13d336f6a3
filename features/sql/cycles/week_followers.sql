-- one row per week and chosen thing bought within the days after a purchase of anything in it, before :as_of
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
),

met as (
    select distinct
        blocks.entity_id,
        blocks.day,
        blocks.week,
        later.thing
    from blocks
    inner join later on blocks.entity_id = later.entity_id and blocks.block = later.block
    where later.day > blocks.day and later.day <= blocks.day + :within
)

select
    week,
    thing,
    count(*) as follow_count
from met
group by week, thing
