-- one row per customer and thing bought on two days or more before :as_of: sums over the logs of gaps and quantities
with logs as (
    select
        entity_id,
        thing,
        day,
        next_day,
        cast(rounded(ln(next_day - day), 6) as decimal(18, 6)) as log_gap,
        cast(case when quantity > 0 then rounded(ln(cast(quantity as double)), 6) else 0 end as decimal(18, 6))
            as log_quantity
    from intervals
    where interval_count > 1
)

select
    entity_id,
    thing,
    max(day) as last_day,
    max(case when next_day is null then log_quantity end) as last_quantity,
    count(next_day) as gap_count,
    sum(log_gap) as gap_sum,
    sum(case when next_day is not null then log_quantity end) as quantity_sum,
    sum(log_gap * log_gap) as gap_squares,
    sum(case when next_day is not null then log_quantity * log_quantity end) as quantity_squares,
    sum(log_gap * log_quantity) as products
from logs
group by entity_id, thing
