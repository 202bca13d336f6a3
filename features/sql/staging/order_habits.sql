-- one row per customer, kind of preference and value met in the 90 days before :as_of, or, of the silent, before the last order
with windows as (
    select
        entity_id,
        case when last_day >= :w90 then :w90 else last_day - 89 end as first_day
    from order_windows
),

bought as (
    select
        lines.entity_id,
        lines.order_key,
        lines.amount,
        kinds.category,
        kinds.brand,
        case
            when prices.price_percentile <= 0.2 then 'lowest'
            when prices.price_percentile <= 0.4 then 'low'
            when prices.price_percentile <= 0.6 then 'middle'
            when prices.price_percentile <= 0.8 then 'high'
            when prices.price_percentile > 0.8 then 'highest'
        end as price_band
    from sale_lines as lines
    inner join windows on lines.entity_id = windows.entity_id
    left join items as kinds on lines.item_key = kinds.item_key
    left join item_prices as prices on lines.item_key = key_of(prices.item_id)
    where lines.day >= windows.first_day
),

placed as (
    select
        baskets.entity_id,
        baskets.order_key,
        baskets.amount,
        baskets.channel,
        case (baskets.day + 3) % 7
            when 0 then 'monday'
            when 1 then 'tuesday'
            when 2 then 'wednesday'
            when 3 then 'thursday'
            when 4 then 'friday'
            when 5 then 'saturday'
            else 'sunday'
        end as weekday,
        case
            when baskets.hour < 6 or baskets.hour >= 22 then 'night'
            when baskets.hour < 12 then 'morning'
            when baskets.hour < 18 then 'afternoon'
            else 'evening'
        end as hour_band
    from baskets
    inner join windows on baskets.entity_id = windows.entity_id
    where baskets.day >= windows.first_day
),

met as (
    select
        entity_id,
        order_key,
        'category' as dimension,
        category as value,
        count(*) as line_count,
        sum(amount) as amount
    from bought
    where category is not null
    group by entity_id, order_key, category
    union all
    select
        entity_id,
        order_key,
        'brand' as dimension,
        brand as value,
        count(*) as line_count,
        sum(amount) as amount
    from bought
    where brand is not null
    group by entity_id, order_key, brand
    union all
    select
        entity_id,
        order_key,
        'price_band' as dimension,
        price_band as value,
        count(*) as line_count,
        sum(amount) as amount
    from bought
    where price_band is not null
    group by entity_id, order_key, price_band
    union all
    select
        entity_id,
        order_key,
        'channel' as dimension,
        channel as value,
        1 as line_count,
        amount
    from placed
    where channel is not null
    union all
    select
        entity_id,
        order_key,
        'weekday' as dimension,
        weekday as value,
        1 as line_count,
        amount
    from placed
    where weekday is not null
    union all
    select
        entity_id,
        order_key,
        'hour_band' as dimension,
        hour_band as value,
        1 as line_count,
        amount
    from placed
    where hour_band is not null
),

-- An order is one, split over its lines: else who puts twenty things into a basket would prefer what is in most baskets.
-- Rounded, so that sums are exact and the order of rows does not change them.
parts as (
    select
        entity_id,
        dimension,
        value,
        cast(
            rounded(
                cast(line_count as double) / sum(line_count) over (partition by entity_id, dimension, order_key), 6
            ) as decimal(9, 6)
        ) as part,
        amount
    from met
)

select
    entity_id,
    dimension,
    value,
    cast(sum(part) as decimal(18, 6)) as times,
    cast(sum(cast(part * part as decimal(18, 12))) as decimal(28, 12)) as squares,
    cast(sum(amount) as decimal(18, 4)) as amount,
    cast(
        rounded(cast(sum(cast(sum(part) as decimal(18, 6))) over (partition by entity_id, dimension) as double), 0)
        as int
    ) as all_times,
    cast(sum(cast(sum(amount) as decimal(18, 4))) over (partition by entity_id, dimension) as decimal(18, 4)) as all_amount
from parts
group by entity_id, dimension, value
