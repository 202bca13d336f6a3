-- one row per item as of :as_of
with sums as (
    select
        item_id,
        cast(sum(list_amount) as double) / cast(sum(unit_count) as double) as usual_price
    from item_sums
    group by item_id
),

placed as (
    select
        sums.item_id,
        kinds.category,
        sums.usual_price,
        cume_dist() over (partition by kinds.category order by sums.usual_price) as price_percentile
    from sums
    left join items as kinds on sums.item_id = kinds.item_id
)

select
    item_id,
    category,
    usual_price,
    cast(rounded(price_percentile, 6) as decimal(9, 6)) as price_percentile
from placed
