-- one row per customer as of :as_of
with ranked as (
    select
        entity_id,
        category,
        first_day,
        last_day,
        line_count,
        amount,
        row_number() over (partition by entity_id order by amount desc, category) as place,
        sum(amount) over (partition by entity_id) as whole
    from category_totals
)

select
    entity_id,
    count(*) filter (where last_day >= :w30) as category_count_30d,
    count(*) filter (where last_day >= :w90) as category_count_90d,
    count(*) filter (where last_day >= :w365) as category_count_365d,
    count(*) as category_count_lifetime,
    count(*) filter (where first_day >= :w90) as new_category_count_90d,
    max(case when place = 1 then category end) as top_category_lifetime,
    max(case when place = 1 then cast(amount as double) / cast(whole as double) end) as top_category_share_lifetime,
    max(case when place = 1 then :as_of - last_day end) as days_since_top_category,
    max(case when place = 2 then category end) as second_category_lifetime,
    -- wide enough that the engine does not multiply in 64 bits, where 110,000 squared overflows
    cast(sum(amount * cast(amount as decimal(19, 4))) as double)
        / (cast(max(whole) as double) * cast(max(whole) as double))
        as category_concentration_lifetime
from ranked
group by entity_id
