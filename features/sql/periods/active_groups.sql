-- one row per customer and period with an act before :as_of, with the lifecycle group there and one period earlier
with grouped as (
    select
        entity_id,
        period,
        previous_period,
        next_period,
        case
            when first_period = period then 'new'
            when first_period = period - 1 then 'last_new'
            when previous_period = period - 1 then 'active'
            when period - previous_period - 1 < :lapsed_after then 'awakened'
            else 'returned'
        end as active_group
    from active_periods
)

select
    entity_id,
    period,
    next_period,
    active_group,
    case
        when previous_period is null then null
        when previous_period = period - 1 then lag(active_group) over (partition by entity_id order by period)
        when period - previous_period - 1 < :lapsed_after then 'dormant'
        else 'lapsed'
    end as group_before
from grouped
