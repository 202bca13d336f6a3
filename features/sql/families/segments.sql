-- one row per customer as of :as_of
with priced as (
    select
        totals.entity_id,
        -- a percentile has six digits; rounded to five, a third is a third again
        rounded(cast(sum(prices.price_percentile * totals.line_count) as double) / sum(totals.line_count), 5) as percentile
    from item_totals as totals
    inner join item_prices as prices on totals.item_key = key_of(prices.item_id)
    group by totals.entity_id
)

select
    orders.entity_id,
    case when orders.order_count_lifetime = 1 then 'one_time' else 'repeat' end as buyer_type,
    case
        when priced.percentile <= 0.33333 then 'budget'
        when priced.percentile <= 0.66667 then 'middle'
        when priced.percentile > 0.66667 then 'premium'
    end as price_level,
    -- in whole numbers, so that a share of exactly 20 % or 60 % falls on the same side everywhere
    case
        when orders.order_count_lifetime < 2 then null
        when orders.discount_order_count_lifetime * 5 <= orders.order_count_lifetime then 'full_price'
        when orders.discount_order_count_lifetime * 5 <= orders.order_count_lifetime * 3 then 'mixed'
        else 'discount'
    end as discount_affinity
from order_windows as orders
left join priced on orders.entity_id = priced.entity_id
