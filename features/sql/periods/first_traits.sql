-- one row per customer and trait of the first day with a sale before :as_of: its channel, category and discount
with firsts as (
    select
        entity_id,
        min(day) as day
    from sale_days
    group by entity_id
),

opening as (
    select
        lines.entity_id,
        lines.hour,
        lines.channel,
        kinds.category,
        lines.discount,
        lines.amount
    from sale_lines as lines
    inner join firsts on lines.entity_id = firsts.entity_id and lines.day = firsts.day
    left join items as kinds on lines.item_key = kinds.item_key
),

channels as (
    select
        entity_id,
        channel,
        row_number() over (partition by entity_id order by min(hour), channel) as place
    from opening
    where channel is not null
    group by entity_id, channel
),

categories as (
    select
        entity_id,
        category,
        row_number() over (partition by entity_id order by sum(amount) desc, category) as place
    from opening
    where category is not null
    group by entity_id, category
),

traits as (
    select
        entity_id,
        'channel' as trait,
        channel as trait_value
    from channels
    where place = 1
    union all
    select
        entity_id,
        'category' as trait,
        category as trait_value
    from categories
    where place = 1
    union all
    select
        entity_id,
        'discount' as trait,
        case when max(discount) > 0 then 'discounted' else 'full_price' end as trait_value
    from opening
    group by entity_id
)

select
    entity_id,
    trait,
    trait_value
from traits
