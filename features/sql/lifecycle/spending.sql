-- one row per period and movement of money, counted before :as_of; the changes of a period add up to that of its sum
with movements as (
    select
        period,
        case
            when previous_period is null then 'new'
            when previous_period < period - 1 then 'resurrected'
            when amount > previous_amount then 'expansion'
            when amount < previous_amount then 'contraction'
            else 'unchanged'
        end as movement,
        amount,
        case when previous_period = period - 1 then amount - previous_amount else amount end as change
    from spending_periods
    union all
    select
        period + 1 as period,
        'left' as movement,
        0 * amount as amount,
        -amount as change
    from spending_periods
    where coalesce(next_period, :last_period + 1) > period + 1 and period < :last_period
)

select
    period,
    movement,
    count(*) as users,
    cast(sum(amount) as decimal(38, 4)) as amount,
    cast(sum(change) as decimal(38, 4)) as change
from movements
group by period, movement
