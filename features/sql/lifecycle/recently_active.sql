-- one row per stretch of periods in which a customer counts as seen within a year, before :as_of
with stretches as (
    select
        period as first_period,
        least(coalesce(next_period - 1, :last_period), period + :year - 1, :last_period) as until_period
    from active_periods
)

select
    first_period,
    until_period,
    count(*) as users
from stretches
group by first_period, until_period
